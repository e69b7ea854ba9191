"""What a class needs: misconceptions as models, predictions. Grading needs no widget, no table and no plot."""
