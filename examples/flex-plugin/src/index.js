// @ts-check
import { Plugins } from "@twilio/flex-ui";
import { OrchestratorPlugin } from "./plugin.jsx";

Plugins.init(OrchestratorPlugin);
