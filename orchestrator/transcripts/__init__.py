"""Transcripts of calls: real-time messages, the messages of the finished call, one merged transcript, the archive."""
