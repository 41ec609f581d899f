"""Files that appear whole, and are believed only once checked."""
