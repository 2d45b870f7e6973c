"From a link to a file, from a file to frames with exact times and lines of speech."
