"""The process that starts, watches, restarts and stops all the others.

serve.py     the workers of a server, from its configuration
arbiter.py   the loop: start, reap, kill the hung, drain
slot.py      one worker's place: backoff, heartbeat, no clock of its own
child.py     fork, signals, the parent's death
instance.py  the resources of a server: name, segments, doorbells, listening sockets
"""
