"""Checks of a set-up, a module for each part of it. None of them changes anything."""
