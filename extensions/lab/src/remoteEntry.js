// @rounds/lab: what Rounds adds to JupyterLab 4 and Notebook 7, as a prebuilt extension.
//
// This is a module federation container written by hand: JupyterLab loads this file, calls
// `init` with the packages that it shares and `get` for the plugins. It makes the itkwidgets
// 0.32.6 bundle, which is a classic AMD module of the time before ipywidgets 8, known to the
// widget registry of today; nothing of it is loaded until a notebook shows such a widget.
// And it leads from the notebook of a case back to the case in the house.
(function () {
  "use strict";

  const NAME = "@rounds/lab";
  const ITKWIDGETS = "0.32.6";
  const BASE = "@jupyter-widgets/base";
  const HERE = new URL(".", document.currentScript.src).href;

  let scope = null;

  /** Compare two versions by their numbers. */
  function byVersion(a, b) {
    const numbers = (version) => version.split(/[.+-]/).map((part) => Number(part) || 0);
    const [left, right] = [numbers(a), numbers(b)];
    for (let i = 0; i < Math.max(left.length, right.length); i++) {
      if ((left[i] || 0) !== (right[i] || 0)) {
        return (left[i] || 0) - (right[i] || 0);
      }
    }
    return 0;
  }

  /** Return the shared package `name`: the one already in use, else the newest. */
  async function shared(name) {
    const versions = scope[name] || {};
    const all = Object.keys(versions).sort(byVersion);
    const chosen = all.find((version) => versions[version].loaded) || all.pop();
    if (chosen === undefined) {
      throw new Error(`${NAME}: JupyterLab shares no ${name}`);
    }
    versions[chosen].loaded = 1;
    return (await versions[chosen].get())();
  }

  /** Derive a class as Backbone's `.extend` does, from parents that are native classes. */
  function extend(prototype, statics) {
    const parent = this;
    const child = function (...given) {
      return Reflect.construct(parent, given, new.target || child);
    };
    Object.setPrototypeOf(child, parent);
    child.prototype = Object.create(parent.prototype);
    Object.assign(child.prototype, prototype, { constructor: child });
    Object.assign(child, statics, { extend, __super__: parent.prototype });
    return child;
  }

  /** Return the base package with classes that can be extended in the old way. */
  function withExtend(base) {
    const old = Object.assign({}, base);
    for (const name of ["WidgetModel", "WidgetView", "DOMWidgetModel", "DOMWidgetView"]) {
      old[name] = class extends base[name] {};
      old[name].extend = extend;
    }
    return old;
  }

  /** Take out a slip of 0.32.6: a view that has no components yet has null for their list. */
  function withNullGuard(source) {
    return source.replace(
      /setComponentVisibilities=function\((\w+)\)\{\1\.forEach\(/,
      "setComponentVisibilities=function($1){($1||[]).forEach("
    );
  }

  /** Run the AMD bundle and return its exports. */
  function evaluate(source, base) {
    let exported = null;
    const define = (_dependencies, factory) => {
      exported = factory(withExtend(base));
    };
    define.amd = {};
    // While it runs, the bundle reads from this attribute where its workers lie.
    const before = document.body.getAttribute("data-base-url");
    document.body.setAttribute("data-base-url", HERE);
    try {
      new Function("define", source)(define);
    } finally {
      if (before === null) {
        document.body.removeAttribute("data-base-url");
      } else {
        document.body.setAttribute("data-base-url", before);
      }
    }
    return exported;
  }

  let loading = null;

  /** Return the exports of itkwidgets; loaded once. */
  function itkwidgets(base) {
    loading = loading || load(base).catch((trouble) => {
      loading = null;
      throw trouble;
    });
    return loading;
  }

  async function load(base) {
    const answer = await fetch(`${HERE}nbextensions/itkwidgets/index.js?v=${ITKWIDGETS}`);
    if (!answer.ok) {
      throw new Error(`${NAME}: the itkwidgets bundle is not installed (${answer.status})`);
    }
    return evaluate(withNullGuard(await answer.text()), base);
  }

  /** Return where the house shows a case, or null outside a hub. */
  function addressOf(caseId) {
    const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
    if (!config.hubPrefix || !/^[A-Za-z0-9_-]{1,64}$/.test(caseId)) {
      return null;
    }
    const root = config.hubPrefix.replace(/hub\/?$/, "");
    return `${config.hubHost || ""}${root}services/rounds/cases/${caseId}`;
  }

  /** Return a link for a toolbar. */
  function linkTo(address) {
    const link = document.createElement("a");
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener";
    link.textContent = "Case in Rounds";
    link.title = "Show the case of this notebook in the house";
    link.style.cssText =
      "align-self:center;padding:0 8px;color:var(--jp-content-link-color);" +
      "font-size:var(--jp-ui-font-size1);white-space:nowrap";
    return link;
  }

  /** Put the link into the toolbar of every notebook that says which case it is about. */
  class BackToTheCase {
    constructor(Widget) {
      this.Widget = Widget;
    }

    createNew(panel, context) {
      let item = null;
      context.ready.then(() => {
        const about = context.model.getMetadata("rounds");
        const address = about && addressOf(String(about.case));
        if (address && !panel.isDisposed) {
          item = new this.Widget({ node: linkTo(address) });
          panel.toolbar.insertBefore("kernelName", "rounds-case", item) ||
            panel.toolbar.addItem("rounds-case", item);
        }
      });
      return {
        get isDisposed() {
          return item !== null && item.isDisposed;
        },
        dispose: () => item && item.dispose(),
      };
    }
  }

  /** Return the plugins, once the packages that they need are there. */
  async function plugins() {
    const [base, lumino] = await Promise.all([shared(BASE), shared("@lumino/widgets")]);
    return [
      {
        id: `${NAME}:itkwidgets`,
        description: "Shows itkwidgets 0.32.6 with the widgets of today.",
        autoStart: true,
        requires: [base.IJupyterWidgetRegistry],
        activate: (_app, registry) => {
          registry.registerWidget({
            name: "itkwidgets",
            version: ITKWIDGETS,
            exports: () => itkwidgets(base),
          });
        },
      },
      {
        id: `${NAME}:case`,
        description: "Leads from the notebook of a case back to the case.",
        autoStart: true,
        activate: (app) => {
          app.docRegistry.addWidgetExtension("Notebook", new BackToTheCase(lumino.Widget));
        },
      },
    ];
  }

  const labs = (window._JUPYTERLAB = window._JUPYTERLAB || {});
  labs[NAME] = {
    init: (given) => {
      scope = given;
    },
    get: async (module) => {
      if (module !== "./extension") {
        throw new Error(`${NAME} has no module ${module}`);
      }
      const found = await plugins();
      return () => ({ __esModule: true, default: found });
    },
  };
})();
