"""Live transcription of Twilio calls by ASAPP AutoTranscribe, started and stopped at the right moments."""

__version__ = "0.1.0"
