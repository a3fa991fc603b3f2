"""EWP-1, the wire format: how readings become bytes that are signed once and verified for ever.

Pure: values and arrays in, bytes out, and back; no I/O, clock, randomness or logging.
The specification is docs/wire-format.md. In reading order: vocabulary, readings, canonical,
events, arrow, payload, merkle, header, signing, compression, batch, frame, chain, headstone,
receipt; bundle and engineering say what a raw word means.
"""
