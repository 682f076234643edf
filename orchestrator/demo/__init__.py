"""`orchestrator demo`: the service, both emulators and a stream of synthetic calls, in one terminal."""
