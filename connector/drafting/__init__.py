"""Drafts of mappings: a table is looked at, and the YAML that a person would begin with comes out.

    draft = draft_mapping(project, Wanted("warehouse", "analytics.dim_users", Kind.USERS))
    draft.write()

Names decide what a column may be, content whether it is. What cannot be told is left to the reader
as a comment.
"""

from connector.drafting.draft import Draft, Wanted, draft_mapping

__all__ = ["Draft", "Wanted", "draft_mapping"]
