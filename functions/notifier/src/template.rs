//! The texts of mails: each as plain text and as HTML that says the same.

use mainsheet_cloud::mail::Mail;
use mainsheet_core::{Error, Result};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

const TEMPLATES: [(&str, &str); 11] = [
    ("frame.html", include_str!("../templates/frame.html")),
    ("verify-email.html", include_str!("../templates/verify-email.html")),
    ("verify-email.txt", include_str!("../templates/verify-email.txt")),
    ("invitation.html", include_str!("../templates/invitation.html")),
    ("invitation.txt", include_str!("../templates/invitation.txt")),
    ("already-registered.html", include_str!("../templates/already-registered.html")),
    ("already-registered.txt", include_str!("../templates/already-registered.txt")),
    ("emergency-used.html", include_str!("../templates/emergency-used.html")),
    ("emergency-used.txt", include_str!("../templates/emergency-used.txt")),
    ("sign-up-again.html", include_str!("../templates/sign-up-again.html")),
    ("sign-up-again.txt", include_str!("../templates/sign-up-again.txt")),
];

/// What a template can say.
pub(crate) struct Values<'v> {
    pub(crate) subject: &'v str,
    pub(crate) email: &'v str,
    pub(crate) link: Option<&'v str>,
    pub(crate) token: Option<&'v str>,
    /// What else the template names.
    pub(crate) facts: &'v [(&'static str, String)],
}

impl<'v> Values<'v> {
    /// A mail with nothing in it to click or copy.
    pub(crate) fn plain(subject: &'v str, email: &'v str) -> Self {
        Self { subject, email, link: None, token: None, facts: &[] }
    }

    fn to_context(&self) -> Value {
        let given =
            [("link", self.link), ("token", self.token)].into_iter().filter_map(|(name, text)| Some((name, text?)));
        let facts = self.facts.iter().map(|(name, text)| (*name, text.as_str()));
        Value::from_pairs([("subject", self.subject), ("email", self.email)].into_iter().chain(given).chain(facts))
    }
}

/// The templates, read.
pub(crate) struct Templates(Environment<'static>);

impl Templates {
    pub(crate) fn load() -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
            .set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
        for (name, text) in TEMPLATES {
            environment.add_template(name, text).map_err(Error::internal)?;
        }
        Ok(Self(environment))
    }

    /// The mail of a template to the address in `values`.
    pub(crate) fn write(&self, id: String, name: &str, values: &Values<'_>) -> Result<Mail> {
        let render = |kind: &str| {
            let template = self.0.get_template(&format!("{name}.{kind}")).map_err(Error::internal)?;
            template.render(values.to_context()).map_err(Error::internal)
        };
        Ok(Mail {
            id,
            to: values.email.to_owned(),
            subject: values.subject.to_owned(),
            text: render("txt")?,
            html: render("html")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, email: &str) -> Mail {
        let (link, token) = (Some("https://a.example/?token=t"), Some("t"));
        let values = Values { link, token, ..Values::plain("A subject", email) };
        Templates::load().unwrap().write("1".to_owned(), name, &values).unwrap()
    }

    #[test]
    fn every_mail_says_the_same_as_text_and_as_html() {
        for name in ["verify-email", "already-registered", "sign-up-again"] {
            let mail = written(name, "ada@example.com");
            assert!(mail.text.contains("ada@example.com") && mail.html.contains("ada@example.com"), "{name}");
        }
        let mail = written("verify-email", "ada@example.com");
        assert!(mail.text.lines().any(|line| line == "t") && mail.text.contains("https://a.example/?token=t"));
        assert!(mail.html.contains("href=\"https:&#x2f;&#x2f;a.example&#x2f;?token=t\""));
    }

    #[test]
    fn html_is_escaped() {
        let mail = written("already-registered", "<b>@example.com");
        assert!(mail.html.contains("&lt;b&gt;@example.com") && mail.text.contains("<b>@example.com"));
    }
}
