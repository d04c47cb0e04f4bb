"""A local web page on which one draws boxes on a picture and gets masks.

The server keeps nothing between two requests: picture, boxes and mask crops live in the browser's tab and come back
with each request, where they are checked like any other input.
"""
