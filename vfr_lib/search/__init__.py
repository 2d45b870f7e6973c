"From the vectors of one video and a question to moments, with how sure they are."
