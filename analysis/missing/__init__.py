"""What missing answers could do to a result: who has what, what would overturn it, what fills the gaps."""
