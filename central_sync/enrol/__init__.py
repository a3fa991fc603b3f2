"""Who is let in: tokens, proofs of possession, certificates, and the last word of a gateway."""
