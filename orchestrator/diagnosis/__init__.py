"""What `orchestrator doctor` looks at. A check yields findings, changes nothing, and raises for nothing it finds."""
