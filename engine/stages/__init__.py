"""The stages of the line, one file each: pure functions from a draft and a row to the draft's next state."""
