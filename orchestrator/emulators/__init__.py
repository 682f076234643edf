"""Emulators of Twilio and ASAPP, for tests, demos and people without accounts. They import nothing else of ours."""
