"""EWP-1, the wire format: how readings become bytes that are signed once and verified for ever.

Pure: values and arrays in, bytes out, and back; no I/O, clock, randomness or logging. The
specification is docs/wire-format.md. In reading order: vocabulary and readings; canonical,
event_fields and events; arrow, payload and merkle; header, signing and batch; compression and
frame; chain, headstone and receipt. What a raw word means: bundle, words, linear, engineering.
"""
