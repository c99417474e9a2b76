"""The load generator: publisher, swarm of clients, scenarios, report (`ticker bench`).

A scenario starts the parts as processes of their own (actor.py), pins the part under test to
one core and everything else to the others, measures from outside, and drains every consumer
before it stops the clock.
"""
