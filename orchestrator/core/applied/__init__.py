"""How each kind of event changes a call; one module per source. `transition` calls these and nothing else does.

Each function takes the call and the event and returns the call; none decides what is wanted (see `desired`), and
none keeps the books of wishes and times (see `settle`).
"""
