"""What the system gives a server and is told by it: listening sockets, and words to systemd."""
