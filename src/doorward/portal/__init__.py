"""`/portal/view`: the page of a customer portal.

    link ──▶ client session ──▶ the API's own routes, as that session ──▶ page

The page can see and do what the customer's session may, and no more: it has no way around the API. A page is one
function in `views`, a form one in `acts`. Nothing is kept here; if the process dies half way, what the API has done
stays done, and the page shows it.
"""
