"""Samples of the random variables of a program: its infinite-width limit where no closed form exists."""
