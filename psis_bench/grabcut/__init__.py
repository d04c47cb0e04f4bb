"""OpenCV's GrabCut inside boxes, in processes of their own that hold neither torch nor a model."""
