"""What Headrace should do, written from its documentation and from nothing of `release.core`.

It is slow and simple on purpose: it is right where it is easy to see that it is.
"""
