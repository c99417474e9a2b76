"""The process that starts, watches, restarts and stops all the others.

serve.py     what runs: a server from its configuration
arbiter.py   the loop: start, reap, kill the hung, drain
slot.py      one worker's place: backoff, heartbeat, no clock of its own
child.py     fork, signals, the parent's death
instance.py  what a server owns: name, segments, doorbells, listening sockets
"""
