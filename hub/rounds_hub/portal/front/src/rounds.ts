/** What every page runs: htmx, the menus, the keys, and what the page asks for. */

import htmx from "htmx.org";

import { watchCaseForm } from "./caseform";
import { watchCompletion } from "./complete";
import { watchGallery } from "./gallery";
import { watchKeys } from "./keys";
import { watchLike } from "./like";
import { watchLive } from "./live";
import { watchMenus } from "./menus";
import { watchMissing } from "./missing";
import { watchPictureSearch } from "./picture";
import { watchRouteForm } from "./routeform";
import { watchUpload } from "./upload";
import { startViewers } from "./viewer";

htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0;
htmx.config.scrollIntoViewOnBoost = false;

watchMenus();
watchMissing();
watchKeys();
startViewers(document);
watchCaseForm();
watchRouteForm();
watchUpload();
watchPictureSearch();
watchGallery();
watchCompletion();
watchLike();
watchLive();
