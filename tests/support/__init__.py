"""What system tests share: the real command line, and real processes on real sockets."""
