"""The worker: claims due calls, reconciles, carries out actions, records outcomes; and the upkeep beside that."""
