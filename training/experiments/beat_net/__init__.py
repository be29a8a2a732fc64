"""Fits a recurrent net that hears taps and onsets and tells where the beat is, without the clock's grid."""
