"""Photos found by drawing, by pose or by another photo.

    photo ---> items of it:  the picture, each person in it
                  |
                  +--> drawing embedding   what a drawing of it would be near to   (net)
                  +--> look embedding      colours and texture    (net, look head)
                  +--> joints              of each person, normalised              (pose)
                  v
    FOLDER/.vunet-gallery/   gallery.sqlite   files and their items: the truth, written in
                                              transactions, so that a kill at any moment loses
                                              at most the batch under way
                             KIND-N.usearch   approximate indexes (HNSW) made from it, above
                                              10,000 items; a new one replaces the old by renaming

    query ---> drawing  (net, drawing branch)  --+
               pose     (joints, partial, mirrored or not)  +--> nearest items, best first
               photo    (net, look head)       --+

Below 10,000 items search is exact. Above, what an index file does not know yet (photos added or
changed since) is searched exactly beside it. Modules: `records`, `database`, `store` and `nearest`
(what is on disk; know vectors, no networks), `trouble` (what disks refuse, in sentences), `joints`
(poses as vectors; numpy), `photos` (what is kept of a photo), `update` (the folder into the store),
`query` (what is looked for), `gallery` (`Gallery`: the one that users meet), `evaluate_pose`;
`network` (two branches), `task` and `data` (their training, `vunet.task.Task`), `embedder` (the
network at work), `evaluate` (recall beside HOG, SqueezeNet and chance; `ranks` counts).
"""
