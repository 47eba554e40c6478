"""The version every result carries, whether the packages are installed or used from a source tree."""

VERSION = "0.1.0"
