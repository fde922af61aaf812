"""Measures a language model on this program's own tasks, beside what the program does without one."""
