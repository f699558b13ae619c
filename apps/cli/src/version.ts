/** The version of this command and of the gateway it was built with. A test holds it to package.json. */
export const VERSION = "0.1.0";
