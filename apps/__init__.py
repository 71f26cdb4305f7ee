"""What a person touches: the command line, the app, the demonstration. No logic of its own.

Everything goes through `vunet.Engine`. Nothing heavy is imported before a verb needs it.
"""
