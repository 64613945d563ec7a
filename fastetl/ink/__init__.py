MOST_SIDE = 4096  # pixels along a side of a picture that is made of a drawing or of found ink, at most
