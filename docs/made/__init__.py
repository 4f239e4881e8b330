"""What is made from the code: pages of reference, man pages, completions, pictures."""
