"""Pages: trainings, one of them live, several compared, and a new one."""
