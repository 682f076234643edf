"""The scenarios that come with the emulators: TOML files, see `orchestrator.emulators.scenario`."""
