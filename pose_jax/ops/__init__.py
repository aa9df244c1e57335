"""Pure array maths that several networks and codecs share."""
