// Tells OHIF its settings before it starts. The service puts in what depends on where
// it runs and who asks.
{
  const told = TOLD_BY_THE_SERVICE;

  // OHIF reads these three names.
  window.PUBLIC_URL = told.files;
  window.browserImportFunction = (name) => import(name);
  window.config = told.settings;

  // OHIF asks its own storage for the language.
  localStorage.setItem("i18nextLng", told.language);
  document.cookie = `i18next=${told.language}; path=/; samesite=lax`;

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

  // Whether a report draws something: OHIF shows no other measurements, but any text.
  const draws = (items) =>
    [items ?? []].flat().some(
      (item) => /^SCOORD/.test(item.ValueType ?? "") || draws(item.ContentSequence),
    );

  // A report as people read it: one line a value, without links and machine's records.
  const records = new Set(["IMAGE", "COMPOSITE", "UIDREF"]);
  const algorithmParameters = "111002";
  const readable = (item) => ({
    ...item,
    ContinuityOfContent: "SEPARATE",
    ConceptNameCodeSequence: [item.ConceptNameCodeSequence ?? []].flat()[0] ?? {},
    ContentSequence: [item.ContentSequence ?? []]
      .flat()
      .filter((one) => !records.has(one.ValueType))
      .map(readable)
      .filter((one) => one.ConceptNameCodeSequence.CodeValue !== algorithmParameters)
      .filter((one) => one.ValueType !== "CONTAINER" || one.ContentSequence.length > 0),
  });

  // OHIF shows a mask that it just saved by its first slice everywhere: it is opened
  // again, from the archive.
  const openAgain = (uid) => {
    const here = new URL(window.location.href);
    const named = here.searchParams.get("SeriesInstanceUIDs");
    if (named) {
      here.searchParams.set("SeriesInstanceUIDs", `${named},${uid}`);
    }
    here.searchParams.set("initialSeriesInstanceUID", uid);
    here.pathname = `${told.prefix}ohif/viewer`;
    window.location.assign(here);
  };

  const whatIsMade = {
    id: "rounds.made",
    preRegistration({ servicesManager }) {
      const sets = servicesManager.services.displaySetService;
      sets.subscribe(sets.EVENTS.DISPLAY_SETS_ADDED, ({ displaySetsAdded, options }) => {
        for (const set of displaySetsAdded) {
          const measures = set.isImagingMeasurementReport && draws(set.instance?.ContentSequence);
          if (set.Modality === "SR" && !measures) {
            set.isImagingMeasurementReport = false;
            set.instances = [readable(set.instance)];
          }
          if (set.Modality === "SEG" && options?.madeInClient) {
            openAgain(set.SeriesInstanceUID);
          }
        }
      });
    },
  };

  // What is saved is not among the series that the address names, and shown all the
  // same; OHIF would call that an error.
  const quietFilter = {
    id: "rounds.filter",
    preRegistration({ servicesManager }) {
      const notices = servicesManager.services.uiNotificationService;
      const show = notices.show.bind(notices);
      notices.show = (notice) => (notice.title === "Series filter" ? undefined : show(notice));
    },
  };

  // Back is where one came from, a case or a result, before it is OHIF's list.
  const below = `${window.location.origin}${told.prefix}`;
  const came = document.referrer;
  const from = came.startsWith(below) && !came.startsWith(`${below}ohif/`) ? came : "";
  const goBack = (event) => {
    if (!event.target.closest?.('[data-cy="return-to-work-list"]')) {
      return;
    }
    const logo = event.target.closest("a");
    if (logo || from) {
      event.stopPropagation();
      event.preventDefault();
      window.location.assign(logo ? logo.href : from);
    }
  };
  document.addEventListener("click", goBack, { capture: true });

  // A volume begins in its middle, as our own pages do, unless an image is named.
  const middleFirst = {
    id: "rounds.middle",
    preRegistration({ servicesManager }) {
      const known = servicesManager.services.hangingProtocolService;
      const place = known.customAttributeRetrievalCallbacks.sopInstanceLocation;
      const named = place.callback;
      place.callback = function (sets, ...more) {
        const wholeVolume = sets?.[0]?.isReconstructable;
        return named.call(this, sets, ...more) ?? (wholeVolume ? { preset: "middle" } : undefined);
      };
    },
  };

  // A mask begins where it is: in the middle of its first segment.
  const maskInSight = {
    id: "rounds.masks",
    onModeEnter({ servicesManager }) {
      const masks = servicesManager.services.segmentationService;
      const seen = new Set();
      masks.subscribe(masks.EVENTS.SEGMENTATION_REPRESENTATION_MODIFIED, (event) => {
        const { segmentationId, viewportId } = event;
        if (viewportId && !seen.has(segmentationId)) {
          seen.add(segmentationId);
          setTimeout(() => masks.jumpToSegmentCenter(segmentationId, 1, viewportId, 0, false), 300);
        }
      });
    },
  };

  window.config.extensions = [whatIsMade, quietFilter, middleFirst, maskInSight];
  window.config.whiteLabeling = { createLogoComponentFn: logo };
  window.config.httpErrorHandler = (error) => {
    // The sign-in ended: the page asks for it again.
    if (error.status === 401) {
      window.location.reload();
    }
  };
}
