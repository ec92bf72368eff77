"""What identifies a person in a note."""

NAME = "clinical-deid"
