"""Drawings become pictures: the variational U-Net with lines or painted regions as shape.

    photo --> subject (what it is of) --> lines (drawings of it, in many styles) --> dataset
    dataset --> batches: drawing, picture, reference (the same thing seen otherwise)
    drawing, reference --> network --> picture;   trainer, discriminator: one recipe for any pairs
    a user's drawing --> sheet (ink and regions on white) --> `Painter` --> picture

One place each: `lines` knows how drawings look, `sheet` how a user's is read, `network` how a
picture is painted, `task` what it is trained towards, `painter` how a file becomes a picture.
"""
