"""The processes of a training: started, supervised, listened to."""
