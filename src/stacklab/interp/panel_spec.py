"""A table of attention, ready to be shown. No torch here."""

from stacklab.base.spec import Items, Spec, Text


class AttentionPanel(Spec):
    """shares[r][c]: how much of the attention of row r goes to column c. Rows are positions or heads."""

    title: Text
    rows: Items[Text]
    columns: Items[Text]
    shares: Items[Items[float]]
