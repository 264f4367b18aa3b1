//! The texts of mails: each as plain text and as HTML that says the same.

use std::collections::BTreeMap;

use mainsheet_cloud::mail::Mail;
use mainsheet_core::{Error, Result};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

const TEMPLATES: [(&str, &str); 28] = [
    ("frame.html", include_str!("../templates/frame.html")),
    ("circumstances.html", include_str!("../templates/circumstances.html")),
    ("verify-email.html", include_str!("../templates/verify-email.html")),
    ("verify-email.txt", include_str!("../templates/verify-email.txt")),
    ("invitation.html", include_str!("../templates/invitation.html")),
    ("invitation.txt", include_str!("../templates/invitation.txt")),
    ("already-registered.html", include_str!("../templates/already-registered.html")),
    ("already-registered.txt", include_str!("../templates/already-registered.txt")),
    ("emergency-used.html", include_str!("../templates/emergency-used.html")),
    ("emergency-used.txt", include_str!("../templates/emergency-used.txt")),
    ("login-code.html", include_str!("../templates/login-code.html")),
    ("login-code.txt", include_str!("../templates/login-code.txt")),
    ("reset-password.html", include_str!("../templates/reset-password.html")),
    ("reset-password.txt", include_str!("../templates/reset-password.txt")),
    ("new-device.html", include_str!("../templates/new-device.html")),
    ("new-device.txt", include_str!("../templates/new-device.txt")),
    ("address-added.html", include_str!("../templates/address-added.html")),
    ("address-added.txt", include_str!("../templates/address-added.txt")),
    ("mfa-set-up.html", include_str!("../templates/mfa-set-up.html")),
    ("mfa-set-up.txt", include_str!("../templates/mfa-set-up.txt")),
    ("mfa-reset.html", include_str!("../templates/mfa-reset.html")),
    ("mfa-reset.txt", include_str!("../templates/mfa-reset.txt")),
    ("password-changed.html", include_str!("../templates/password-changed.html")),
    ("password-changed.txt", include_str!("../templates/password-changed.txt")),
    ("password-set-by-organization.html", include_str!("../templates/password-set-by-organization.html")),
    ("password-set-by-organization.txt", include_str!("../templates/password-set-by-organization.txt")),
    ("sign-up-again.html", include_str!("../templates/sign-up-again.html")),
    ("sign-up-again.txt", include_str!("../templates/sign-up-again.txt")),
];

/// What a template can say.
pub(crate) struct Values(BTreeMap<&'static str, String>);

impl Values {
    /// Every mail has a subject and an address.
    pub(crate) fn new(subject: &str, email: &str) -> Self {
        Self(BTreeMap::from([("subject", subject.to_owned()), ("email", email.to_owned())]))
    }

    /// The same with one thing more.
    pub(crate) fn with(mut self, name: &'static str, text: &str) -> Self {
        self.0.insert(name, text.to_owned());
        self
    }

    fn to_context(&self) -> Value {
        Value::from_pairs(self.0.iter().map(|(name, text)| (*name, text.as_str())))
    }

    fn text(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
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
    pub(crate) fn write(&self, id: String, name: &str, values: &Values) -> Result<Mail> {
        let render = |kind: &str| {
            let template = self.0.get_template(&format!("{name}.{kind}")).map_err(Error::internal)?;
            template.render(values.to_context()).map_err(Error::internal)
        };
        Ok(Mail {
            id,
            to: values.text("email"),
            subject: values.text("subject"),
            text: render("txt")?,
            html: render("html")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, email: &str) -> Mail {
        let values = Values::new("A subject", email).with("link", "https://a.example/?token=t").with("token", "t");
        let others = ["code", "when", "address", "software", "action", "target", "at", "added"];
        let values = others.into_iter().fold(values, |values, name| values.with(name, "something"));
        Templates::load().unwrap().write("1".to_owned(), name, &values).unwrap()
    }

    #[test]
    fn every_mail_says_the_same_as_text_and_as_html() {
        for (file, _) in TEMPLATES.iter().filter(|(file, _)| file.ends_with(".txt")) {
            let name = file.trim_end_matches(".txt");
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
