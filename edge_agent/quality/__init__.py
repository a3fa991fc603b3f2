"""Judging: every reading gets class, phase and reasons; pure, and raw words are never altered."""
