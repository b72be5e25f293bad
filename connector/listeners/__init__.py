"""Those who are told of a run when it is over: a log in the warehouse, webhooks, telemetry.

They read what the control store kept of the run, and none of them can make it fail.
"""
