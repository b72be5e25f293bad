"""What is taken for an email address or a phone number, by its name."""

import pytest

from connector.mapping.pii import direct_name_in, looks_direct, names_phone


@pytest.mark.parametrize(
    "name",
    [
        "email",
        "Email",
        "e_mail",
        "E-MAIL",
        "emailAddress",
        "EMAIL_ADDRESS",
        "user_email",
        "customeremail",
        "mail",
        "mail_address",
        "phone",
        "PHONE_NO",
        "phone1",
        "mobile",
        "user_mobile",
        "msisdn",
        "telephone",
        "tel",
        "contact_no",
        "homePhone",
    ],
)
def test_a_name_that_looks_like_direct_personal_data_is_taken_for_it(name: str) -> None:
    assert looks_direct(name)


@pytest.mark.parametrize(
    "name",
    [
        "email_campaign",
        "email_opt_in",
        "has_email",
        "email_verified_at",
        "email_hash",
        "email_sha256",
        "email_md5",
        "phone_model",
        "is_mobile",
        "mobile_orders",
        "headphones",
        "smartphone",
        "iphone",
        "telemetry",
        "female",
        "hotel",
        "cellar",
        "excellent",
        "42",
        "_",
    ],
)
def test_a_name_that_only_speaks_of_mail_or_telephones_is_not(name: str) -> None:
    assert not looks_direct(name)


@pytest.mark.parametrize(
    "expression",
    [
        "lower(trim(email))",
        '"E-Mail"',
        "data->>'email'",
        "data['phone']",
        "{'email': x}",
        "json_extract(d, '$.user.email')",
        "t.email",
    ],
)
def test_an_expression_is_read_for_the_names_in_it(expression: str) -> None:
    assert direct_name_in(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "case when channel = 'email' then 1 end",
        "x -- the email",
        "n /* phone */",
        "$$email$$",
        "'email'::text",
        "coalesce(is_mobile, false)",
    ],
)
def test_text_and_comments_in_an_expression_are_no_names(expression: str) -> None:
    assert direct_name_in(expression) is None


def test_phone_numbers_are_told_from_email_addresses() -> None:
    assert names_phone("trim(user_mobile)")
    assert names_phone("phone")
    assert not names_phone("lower(email)")
    assert not names_phone("case when channel = 'phone' then 1 end")
