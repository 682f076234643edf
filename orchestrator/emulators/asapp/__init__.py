"""ASAPP AutoTranscribe as its public material describes it, for tests, demos and people without accounts.

`main` is the process, `api` the vendor's HTTP, `media` its WebSocket, `gateway` the rules of start and
stop, `hearing` what is understood of the audio, `webhook` the delivery of transcripts, `conversations`
the list after the call, `control` what tests ask and order. What ASAPP leaves open is in `switches`.
"""
