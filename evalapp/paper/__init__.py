"""What is printed and what comes back on paper: cards, questionnaires, and typing answers in twice."""
