"""Faces from rough sketches, part by part.

    drawing -> landmarks (`landmarks`) -> frame and parts (`template`)
            -> each part drawn towards its manifold (`manifolds`) -> refined sketch
            -> painted in the look of a photo or a sampled one (`vunet.drawing`) -> eyes agree

After Chen et al., "DeepFaceDrawing: deep generation of face images from sketches" (2020); what is
learned here is smaller, places of parts are refined with their shapes, and looks come from photos.
"""
