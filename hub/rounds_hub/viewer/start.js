// Tells OHIF its settings before it starts. The service puts in what depends on where
// it runs and who asks.
{
  const told = TOLD_BY_THE_SERVICE;

  // OHIF reads these three names.
  window.PUBLIC_URL = told.files;
  window.browserImportFunction = (name) => import(name);
  window.config = told.settings;

  const remember = () => {
    localStorage.setItem("i18nextLng", told.language);
    document.cookie = `i18next=${told.language}; path=${told.prefix}; samesite=lax`;
  };

  const logo = (React) =>
    React.createElement(
      "a",
      { href: told.prefix, title: "Rounds", className: "flex items-center gap-2 text-white" },
      React.createElement("img", {
        src: `${told.prefix}static/rounds.svg`,
        alt: "",
        width: 24,
        height: 24,
      }),
      React.createElement("span", { className: "text-base font-semibold" }, "Rounds"),
    );

  remember();
  window.config.whiteLabeling = { createLogoComponentFn: logo };
  window.config.httpErrorHandler = (error) => {
    // The sign-in ended: the page asks for it again.
    if (error.status === 401) {
      window.location.reload();
    }
  };
}
